/* http_extension: the table's ends; http_chunked_test.c has the language. */
#include <criterion/criterion.h>

#include "http_extension.h"

Test(http_extension, nothing_is_right_behind_the_end_or_a_mistake)
{
	int c;

	for (c = 0; c < 256; c++) {
		cr_expect_eq(http_extension_next(HTTP_EXTENSION_OVER, (char)c),
		    HTTP_EXTENSION_BAD, "%d", c);
		cr_expect_eq(http_extension_next(HTTP_EXTENSION_BAD, (char)c),
		    HTTP_EXTENSION_BAD, "%d", c);
	}
}
