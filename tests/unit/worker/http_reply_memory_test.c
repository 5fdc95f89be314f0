/* http_reply: where memory is short, it says so, and the head is not sent. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http_reply.h"
#include "memory_limit.h"

/* All memory that malloc(3) has, and can get. */
struct block {
	struct block *next;
};

static struct http_reply reply;
static struct rlimit before;

static struct block *
take_all(void)
{
	struct block *blocks = NULL, *block;
	size_t size;

	before = memory_limit(0);
	for (size = 1 << 20; size >= sizeof(*block); size /= 2)
		while ((block = malloc(size)) != NULL) {
			block->next = blocks;
			blocks = block;
		}
	return (blocks);
}

static void
give_back(struct block *blocks)
{
	struct block *next;

	for (; blocks != NULL; blocks = next) {
		next = blocks->next;
		free(blocks);
	}
	setrlimit(RLIMIT_AS, &before);
}

static void
set_up(void)
{
	memory_limit_or_skip();
	http_reply_init(&reply);
}

TestSuite(http_reply_memory, .init = set_up, .timeout = 30);

Test(http_reply_memory, a_status_that_finds_none_is_refused)
{
	struct http_reply_context context = {.server = "x"};
	const char *why = NULL;
	struct block *all = take_all();
	int result, error, refused;

	errno = 0;
	result = http_reply_status(&reply, "200 OK", 6, &why);
	error = errno;
	refused = http_reply_error(&reply, &context, 400, NULL);
	give_back(all);
	cr_expect_eq(result, -1);
	cr_expect_eq(error, ENOMEM);
	cr_expect_str_eq(why, "out of memory");
	cr_expect_eq(refused, -1);
	cr_expect_eq(http_reply_status(&reply, "200 OK", 6, &why), 0);
}

Test(http_reply_memory, a_field_that_finds_none_is_not_there)
{
	static char value[600];
	const char *why = NULL;
	struct block *all;
	int plain, cookie, error;
	size_t len;

	memset(value, 'v', sizeof(value));
	cr_assert_eq(http_reply_status(&reply, "200 OK", 6, &why), 0);
	len = reply.len;
	all = take_all();
	errno = 0;
	plain = http_reply_field(&reply, "X", 1, value, sizeof(value), &why);
	error = errno;
	cookie = http_reply_field(
	    &reply, "Set-Cookie", 10, value, sizeof(value), &why);
	give_back(all);
	cr_expect_eq(plain, -1);
	cr_expect_eq(error, ENOMEM);
	cr_expect_eq(cookie, -1);
	cr_expect_str_eq(why, "out of memory");
	cr_expect_eq(reply.len, len);
}

Test(http_reply_memory, a_head_without_room_for_its_end_is_not_finished)
{
	static char value[400];
	struct http_reply_context context = {.server = "x"};
	const char *why = NULL;
	struct block *all;
	int result, error;

	memset(value, 'v', sizeof(value));
	cr_assert_eq(http_reply_status(&reply, "200 OK", 6, &why), 0);
	cr_assert_eq(
	    http_reply_field(&reply, "X", 1, value, sizeof(value), &why), 0);
	all = take_all();
	errno = 0;
	result = http_reply_finish(&reply, &context, 0);
	error = errno;
	give_back(all);
	cr_expect_eq(result, -1);
	cr_expect_eq(error, ENOMEM);
}
