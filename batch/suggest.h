// "Did you mean": the word of a list that a mistyped one resembles.

#ifndef NWPOOL_BATCH_SUGGEST_H
#define NWPOOL_BATCH_SUGGEST_H

// The word of the NULL-terminated list that is nearest to `typed`, or NULL
// when none is near enough to be meant.
const char *nwpool_batch_suggest(const char *typed, const char *const *words);

#endif
