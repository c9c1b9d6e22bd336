# Finds what nwpool is built from and says in one sentence what is missing.
#
#   nwpool::node       libnode and its headers, as system headers
#   nwpool::uv         libuv
#   nwpool::jansson    jansson
#   nwpool::criterion  the test framework, only with NW_TESTS
#
# and sets NWPOOL_NODE_MODULE_VERSION (108), NWPOOL_NODE_SONAME
# (libnode.so.108), NWPOOL_NODE_LIBDIR, and NWPOOL_NODE_RPATH: the same
# directory, or empty where the dynamic linker looks anyway.
#
# libnode is taken with the headers beside it, never with those of another
# Node.js: a distribution's libnode next to someone else's nodejs package,
# which puts its headers into the same /usr/include/node, would compile, link
# and then crash.

set(NWPOOL_NODE_PREFIX "$ENV{NWPOOL_NODE_PREFIX}" CACHE PATH
    "Where libnode is; empty: /usr, then what scripts/deps made in /opt")
set(NWPOOL_NODE_INCLUDE_DIR "" CACHE PATH
    "The directory of node.h; empty: the one that belongs to libnode")
set(NWPOOL_NODE_LIBRARY "" CACHE FILEPATH
    "libnode.so itself; empty: look for it")
mark_as_advanced(NWPOOL_NODE_INCLUDE_DIR NWPOOL_NODE_LIBRARY)

# The module version that src/engine/ is written for: Node.js 18.
set(nwpool_node_wanted 108)

# Looks below one prefix. Sets node_library, node_include, node_version (of the
# library) and node_problem, which is empty when all is well, in the caller.
function(nwpool_look_for_node prefix)
    set(include "${NWPOOL_NODE_INCLUDE_DIR}")
    set(library "${NWPOOL_NODE_LIBRARY}")
    set(headers 0)
    set(version 0)
    set(problem "")

    if(NOT library)
        unset(library)
        find_library(library NAMES node libnode.so.${nwpool_node_wanted}
            PATHS ${prefix}/usr ${prefix}
            PATH_SUFFIXES lib/${CMAKE_LIBRARY_ARCHITECTURE} lib
            NO_CACHE NO_DEFAULT_PATH)
    endif()
    if(NOT include)
        unset(include)
        find_path(include NAMES node_version.h
            PATHS ${prefix}/usr/include/node ${prefix}/include/node
            NO_CACHE NO_DEFAULT_PATH)
    endif()

    if(library)
        file(REAL_PATH "${library}" library)
        if(library MATCHES "/libnode\\.so\\.([0-9]+)$")
            set(version ${CMAKE_MATCH_1})
        endif()
    endif()
    if(EXISTS "${include}/node_version.h")
        file(REAL_PATH "${include}" include)
        file(STRINGS "${include}/node_version.h" line
            REGEX "^#define NODE_MODULE_VERSION [0-9]+")
        if(line MATCHES "([0-9]+)")
            set(headers ${CMAKE_MATCH_1})
        endif()
    endif()

    if(NOT library OR NOT EXISTS "${library}")
        set(problem "no libnode")
    elseif(NOT headers)
        set(problem "${library} has no headers beside it")
    elseif(NOT headers EQUAL version)
        set(problem "the Node.js headers in ${include} have module version \
${headers}, but the library ${library} has ${version}: what is built from \
both would crash")
    elseif(NOT version EQUAL nwpool_node_wanted)
        set(problem "${library} has module version ${version}, but nwpool is \
written for ${nwpool_node_wanted}, that is Node.js 18")
    endif()

    set(node_library "${library}" PARENT_SCOPE)
    set(node_include "${include}" PARENT_SCOPE)
    set(node_version "${version}" PARENT_SCOPE)
    set(node_problem "${problem}" PARENT_SCOPE)
endfunction()

set(nwpool_missing "")

if(NWPOOL_NODE_LIBRARY)
    set(nwpool_node_prefixes "${NWPOOL_NODE_LIBRARY}")
elseif(NWPOOL_NODE_PREFIX)
    set(nwpool_node_prefixes "${NWPOOL_NODE_PREFIX}")
else()
    set(nwpool_node_prefixes "/usr" "/opt/nwpool-node18")
endif()
set(nwpool_node_problem "no libnode")
foreach(prefix IN LISTS nwpool_node_prefixes)
    nwpool_look_for_node("${prefix}")
    if(node_problem STREQUAL "")
        set(nwpool_node_problem "")
        break()
    elseif(nwpool_node_problem STREQUAL "no libnode")
        set(nwpool_node_problem "${node_problem}")
    endif()
endforeach()

if(nwpool_node_problem STREQUAL "no libnode")
    list(JOIN nwpool_node_prefixes " or " prefixes)
    string(APPEND nwpool_missing "libnode of Node.js 18 was not found in \
${prefixes}: install Debian's libnode-dev, or run scripts/deps.\n")
elseif(nwpool_node_problem)
    string(APPEND nwpool_missing "libnode cannot be used: \
${nwpool_node_problem}. Install Debian's libnode-dev, or run scripts/deps, or \
set NWPOOL_NODE_PREFIX to where both are.\n")
else()
    set(NWPOOL_NODE_MODULE_VERSION ${node_version})
    get_filename_component(NWPOOL_NODE_SONAME "${node_library}" NAME)
    get_filename_component(NWPOOL_NODE_LIBDIR "${node_library}" DIRECTORY)
    set(NWPOOL_NODE_RPATH "${NWPOOL_NODE_LIBDIR}")
    foreach(dir IN LISTS CMAKE_C_IMPLICIT_LINK_DIRECTORIES)
        get_filename_component(dir "${dir}" REALPATH)
        if(dir STREQUAL NWPOOL_NODE_LIBDIR)
            set(NWPOOL_NODE_RPATH "")
        endif()
    endforeach()

    if(NOT TARGET nwpool::node)
        add_library(nwpool::node SHARED IMPORTED)
        set_target_properties(nwpool::node PROPERTIES
            IMPORTED_LOCATION "${node_library}"
            IMPORTED_SONAME "${NWPOOL_NODE_SONAME}"
            INTERFACE_INCLUDE_DIRECTORIES "${node_include}")
    endif()
    message(STATUS "Using ${node_library} with ${node_include}")
endif()

# Makes nwpool::<name> of what pkg-config knows as `module`, or adds a sentence.
macro(nwpool_use_pkg name module version package)
    pkg_check_modules(NWPOOL_${name} QUIET IMPORTED_TARGET
        ${module}>=${version})
    if(NOT NWPOOL_${name}_FOUND)
        string(APPEND nwpool_missing "${module} ${version} or newer was not \
found: install Debian's ${package}, or run scripts/deps.\n")
    elseif(NOT TARGET nwpool::${name})
        add_library(nwpool::${name} ALIAS PkgConfig::NWPOOL_${name})
    endif()
endmacro()

find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
    nwpool_use_pkg(uv libuv 1.44 libuv1-dev)
    nwpool_use_pkg(jansson jansson 2.14 libjansson-dev)
    if(NW_TESTS)
        nwpool_use_pkg(criterion criterion 2.3 libcriterion-dev)
    endif()
else()
    string(APPEND nwpool_missing "pkg-config was not found: install Debian's \
pkg-config, or run scripts/deps.\n")
endif()

if(nwpool_missing)
    message(FATAL_ERROR "${nwpool_missing}")
endif()
