// The place of the hook table; src/hooks.h says who reads it and when.

#include "src/hooks.h"

_Atomic(const struct nw__hooks *) nw__hooks_installed;
