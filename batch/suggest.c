// "Did you mean": the word of a list that a mistyped one resembles.
//
// Distance is the number of characters added, left out, changed or swapped
// with their neighbour (Damerau-Levenshtein, restricted).

#include "batch/suggest.h"

#include <stddef.h>
#include <string.h>

// Longer words are nobody's typing mistake.
#define WORD_MAX     31
#define DISTANCE_MAX 2

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

// Both at most WORD_MAX long.
static size_t distance(const char *left, const char *right)
{
    size_t cost[WORD_MAX + 1][WORD_MAX + 1];
    size_t rows = strlen(left);
    size_t columns = strlen(right);

    for (size_t i = 0; i <= rows; i++) {
        for (size_t j = 0; j <= columns; j++) {
            if (i == 0 || j == 0) {
                cost[i][j] = i + j;
                continue;
            }
            cost[i][j] =
                min3(cost[i - 1][j] + 1, cost[i][j - 1] + 1,
                     cost[i - 1][j - 1] + (left[i - 1] != right[j - 1]));
            if (i > 1 && j > 1 && left[i - 1] == right[j - 2] &&
                left[i - 2] == right[j - 1] &&
                cost[i - 2][j - 2] + 1 < cost[i][j]) {
                cost[i][j] = cost[i - 2][j - 2] + 1;
            }
        }
    }
    return cost[rows][columns];
}

const char *nwpool_batch_suggest(const char *typed, const char *const *words)
{
    const char *nearest = NULL;
    size_t least = DISTANCE_MAX + 1;
    size_t size = strlen(typed);

    if (size > WORD_MAX) {
        return NULL;
    }
    for (; *words != NULL; words++) {
        size_t found = distance(typed, *words);

        // A short word that differs in half its letters is another word.
        if (found < least && found * 2 <= strlen(*words)) {
            least = found;
            nearest = *words;
        }
    }
    return nearest;
}
