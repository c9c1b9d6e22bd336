// What a job means by the name of its module.

#ifndef NWPOOL_BATCH_MODULE_H
#define NWPOOL_BATCH_MODULE_H

// An absolute path for a name that starts like a path, for that of a file in
// `directory`, and for a package that is found from there but not from the
// working directory. Any other name is left to Node.js: a package that it
// finds, or one of its own modules. A new string.
char *nwpool_batch_module_resolve(const char *directory, const char *name);

#endif
