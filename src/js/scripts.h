// The JavaScript sources, as the build embeds them.

#ifndef NW_SRC_JS_SCRIPTS_H
#define NW_SRC_JS_SCRIPTS_H

extern const char nw__script_glue[];
extern const char nw__script_pool[];
extern const char nw__script_worker[];
extern const char nw__script_functions[];
extern const char nw__script_guard[];

#endif
