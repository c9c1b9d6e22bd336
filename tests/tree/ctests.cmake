# Says which tests CTest will know, without configuring anything: runs the
# CMakeLists.txt below tests/ with those commands replaced that a script cannot
# run. A line for each test: its name, and the sources of the program that it
# starts if that is one of ours.
#
# cmake -P ctests.cmake SOURCE_DIR

cmake_minimum_required(VERSION 3.25)

set(PROJECT_SOURCE_DIR ${CMAKE_ARGV3})
set(CMAKE_CURRENT_SOURCE_DIR ${PROJECT_SOURCE_DIR})
set(NW_EXAMPLES ON)
set(NW_GIT git)
set(NW_NODE_COMMAND node)

function(add_subdirectory name)
    string(APPEND CMAKE_CURRENT_SOURCE_DIR /${name})
    include(${CMAKE_CURRENT_SOURCE_DIR}/CMakeLists.txt)
endfunction()

function(add_executable target)
    foreach(source IN LISTS ARGN)
        cmake_path(ABSOLUTE_PATH source
            BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
        set_property(GLOBAL APPEND PROPERTY sources_${target} ${source})
    endforeach()
endfunction()

function(add_test)
    cmake_parse_arguments(PARSE_ARGV 0 test "" NAME COMMAND)
    list(GET test_COMMAND 0 program)
    get_property(sources GLOBAL PROPERTY sources_${program})
    list(JOIN sources " " sources)
    message(NOTICE "${test_NAME} ${sources}")
endfunction()

foreach(command IN ITEMS add_dependencies add_library find_program
        set_target_properties set_tests_properties target_compile_definitions
        target_include_directories target_link_libraries target_link_options)
    cmake_language(EVAL CODE "function(${command})\nendfunction()")
endforeach()

add_subdirectory(tests)
