/* budget: who pays when it is used up. */
#include <criterion/criterion.h>

#include <stdint.h>

#include "budget.h"

TestSuite(budget, .timeout = 20);

Test(budget, leaves_a_quarter_to_replies)
{
	struct budget b = {.limit = 1000};

	cr_expect(budget_take(&b, 750));
	cr_expect_not(budget_take(&b, 1));
	cr_expect_not(b.is_short, "no reply is in the way");
	budget_count_unsent(&b, 0, 250);
	cr_expect_not(budget_is_over(&b));
	budget_count_unsent(&b, 250, 251);
	cr_expect(budget_is_over(&b));
	budget_count_unsent(&b, 251, 0);
	budget_give(&b, 750);
	cr_expect_eq(b.used, 0);
}

Test(budget, requests_that_find_no_room_cost_no_reader_his_share)
{
	struct budget b = {.limit = 1000};

	budget_count_unsent(&b, 0, 250);
	budget_count(&b, 900); /* which nobody has asked for */
	cr_expect_not(budget_take(&b, 1));
	cr_expect_not(budget_is_over(&b));
}

Test(budget, replies_with_more_than_their_share_make_room_for_a_request)
{
	struct budget b = {.limit = 1000};

	budget_count_unsent(&b, 0, 1000);
	cr_expect_not(budget_is_over(&b), "nobody wants it");
	cr_expect_not(budget_take(&b, 1));
	cr_expect(budget_is_over(&b));
	budget_count_unsent(&b, 1000, 999);
	b.is_short = false;
	cr_expect(budget_take(&b, 1));
	cr_expect_not(budget_is_over(&b));
}

Test(budget, spares_what_has_another_place_to_go)
{
	struct budget b = {.limit = 1000};

	budget_count_unsent(&b, 0, 700);
	cr_expect(budget_take_spare(&b, 50));
	cr_expect_not(budget_take_spare(&b, 1));
	cr_expect_not(b.is_short);
	cr_expect(budget_take(&b, 250));
}

Test(budget, does_not_overflow)
{
	struct budget b = {.limit = 1000};

	cr_expect(budget_take(&b, 10));
	cr_expect_not(budget_take(&b, SIZE_MAX));
	cr_expect_not(budget_take_spare(&b, SIZE_MAX - 5));
	cr_expect_eq(b.used, 10);
}
