/* strings - a list that can serve as an argv. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guarded.h"
#include "macros.h"
#include "strings.h"

Test(strings, is_an_empty_argv_when_new)
{
	struct strings list;

	strings_init(&list);
	cr_assert_not_null(list.items);
	cr_expect_null(list.items[0]);
	cr_expect_eq(list.count, 0);
	strings_fini(&list);
}

Test(strings, keeps_order_and_ends_in_null_at_any_length)
{
	struct strings list;
	char text[16];
	size_t i;

	strings_init(&list);
	for (i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "%zu", i);
		strings_add(&list, text);
		cr_assert_eq(list.count, i + 1);
		cr_assert_null(list.items[list.count]);
	}
	for (i = 0; i < 1000; i++)
		cr_assert_eq(atoi(list.items[i]), (int)i);
	strings_fini(&list);
}

Test(strings, copies_what_it_is_given)
{
	struct strings list;
	char text[] = "before";

	strings_init(&list);
	strings_add(&list, text);
	text[0] = 'X';
	cr_expect_str_eq(list.items[0], "before");
	strings_fini(&list);
}

/* The list's own string, which growing or freeing would take away. */
Test(strings, takes_its_own_item)
{
	struct strings list;

	strings_init(&list);
	strings_add(&list, "one");
	strings_add(&list, list.items[0]);
	strings_replace(&list, 0, list.items[0]);
	cr_expect_str_eq(list.items[0], "one");
	cr_expect_str_eq(list.items[1], "one");
	strings_fini(&list);
}

Test(strings, replaces_one_and_leaves_the_rest)
{
	struct strings list;

	strings_init(&list);
	strings_add(&list, "a");
	strings_add(&list, "b");
	strings_replace(&list, 0, "c");
	cr_expect_eq(list.count, 2);
	cr_expect_str_eq(list.items[0], "c");
	cr_expect_str_eq(list.items[1], "b");
	strings_fini(&list);
}

Test(strings, can_be_used_again_when_cleared)
{
	struct strings list;

	strings_init(&list);
	strings_add(&list, "a");
	strings_clear(&list);
	cr_expect_eq(list.count, 0);
	cr_expect_null(list.items[0]);
	strings_add(&list, "b");
	cr_expect_str_eq(list.items[0], "b");
	strings_fini(&list);
	cr_expect_null(list.items);
}

Test(strings, item_is_what_stands_between_commas)
{
	static const char *const want[] = {"a", "b c", "", "d"};
	const char *at = guarded_text(" a,b c\t, ,d"), *item;
	size_t i = 0, len;

	for (; string_item(&at, &item, &len); i++) {
		cr_assert_lt(i, nitems(want));
		cr_expect_eq(len, strlen(want[i]));
		cr_expect_eq(strncmp(item, want[i], len), 0, "%zu", i);
	}
	cr_expect_eq(i, nitems(want));
	at = guarded_text("");
	cr_expect(string_item(&at, &item, &len));
	cr_expect_eq(len, 0);
	cr_expect_not(string_item(&at, &item, &len));
}
