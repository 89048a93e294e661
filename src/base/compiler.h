/* SPDX-License-Identifier: Apache-2.0
 *
 * The few compiler attributes the tree uses, and the ownership idiom:
 * declare a variable with its destructor, initialise it at once, hand it over
 * with LK_TAKE() as the last act.
 */
#pragma once

#include <stddef.h>

#define LK_CLEANUP(fn)  __attribute__((cleanup(fn)))
#define LK_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define LK_NONNULL(...) __attribute__((nonnull(__VA_ARGS__)))
#define LK_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Yields p's value and leaves NULL behind, so that its cleanup does nothing. */
#define LK_TAKE(p)                           \
	({                                   \
		__typeof__(p) *lk_pp = &(p); \
		__typeof__(p) lk_v = *lk_pp; \
		*lk_pp = NULL;               \
		lk_v;                        \
	})

/* Defines <fn>p(), the cleanup of a pointer variable: calls fn on what is left in it. */
#define LK_DEFINE_CLEANUP(type, fn)          \
	static inline void fn##p(type *lk_p) \
	{                                    \
		if (*lk_p)                   \
			fn(*lk_p);           \
	}                                    \
	struct lk_swallow_semicolon

void lk_freep(void *pp); /* cleanup of a malloc()ed pointer: LK_CLEANUP(lk_freep) char *s = NULL; */
void lk_closep(int *fd); /* cleanup of a descriptor; -1 means none */
