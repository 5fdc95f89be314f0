/* proxy_rules: what follows from [proxy] for a peer, a field, a path. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "guarded.h"
#include "macros.h"
#include "proxy_rules.h"

TestSuite(proxy_rules, .timeout = 20);

static const struct http_limits limits = {.line = 8190,
    .fields = 100,
    .field_size = 8190,
    .head = 65536,
    .body = 1 << 20};

static struct config *cfg;
static struct proxy_rules rules;

/* "name=value" for each option, up to NULL. */
static void
set_up(const char *const *options)
{
	char name[64];

	cfg = config_new();
	for (; options != NULL && *options != NULL; options++) {
		snprintf(name, sizeof(name), "%.*s",
		    (int)strcspn(*options, "="), *options);
		cr_assert_eq(
		    config_set(cfg, name, strchr(*options, '=') + 1, stderr),
		    0);
	}
	proxy_rules_init(&rules, cfg);
}

static void
tear_down(void)
{
	proxy_rules_fini(&rules);
	config_free(&cfg);
}

static unsigned
field(const char *name)
{
	size_t len = strlen(name);

	return (proxy_rules_field(&rules, guarded(name, len), len));
}

Test(proxy_rules, defaults_trust_this_machine_and_look_at_no_request)
{
	struct peer peer = {.family = AF_INET, .address = {127, 0, 0, 1}};

	set_up(NULL);
	cr_expect_not(rules.is_active);
	cr_expect_eq(rules.protocol, PROXY_OFF);
	cr_expect(proxy_rules_trust(&rules, &peer));
	cr_expect(proxy_rules_allow(&rules, &peer));
	peer.family = AF_UNIX;
	cr_expect(proxy_rules_trust(&rules, &peer));
	peer = (struct peer){.family = AF_INET, .address = {192, 0, 2, 1}};
	cr_expect_not(proxy_rules_trust(&rules, &peer));
	cr_expect_not(proxy_rules_allow(&rules, &peer));
	cr_expect_eq(rules.hidden[false] & PROXY_FIELDS_FORWARDED,
	    PROXY_FIELDS_FORWARDED);
	cr_expect_eq(rules.hidden[true] & PROXY_FIELDS_FORWARDED, 0);
	tear_down();
}

Test(proxy_rules, nothing_set_trusts_nobody)
{
	struct peer peer = {.family = AF_UNIX};

	cr_expect_not(proxy_rules_trust(&rules, &peer));
	cr_expect_eq(field("X_A"), PROXY_FIELD_DROPPED);
	cr_expect_eq(field("X-A"), 0);
}

Test(proxy_rules, fields_are_known_by_what_they_would_become)
{
	static const char *const options[] = {
	    "forwarder_headers=REMOTE_USER,script_name",
	    "secure_scheme_headers=Front-End-Https=on", NULL};

	set_up(options);
	cr_expect_eq(field("Forwarded"), 1u << FORWARDED_STANDARD);
	cr_expect_eq(field("X-FORWARDED-prefix"), 1u << FORWARDED_PREFIX);
	cr_expect_eq(field("X-Forwarded-Server"), PROXY_FIELD_OTHER);
	cr_expect_eq(field("X-Real-IP"), PROXY_FIELD_OTHER);
	cr_expect_eq(field("FRONT-END-HTTPS"), PROXY_FIELD_OTHER);
	cr_expect_eq(field("X-Forwarded-"), 0);
	cr_expect_eq(field("X-Forwarded"), 0);
	cr_expect_eq(field("Remote_User"), PROXY_FIELD_FORWARDER);
	cr_expect_eq(field("Remote-User"), PROXY_FIELD_DROPPED);
	cr_expect_eq(field("Remote_User_"), PROXY_FIELD_DROPPED);
	cr_expect_eq(field("Remote"), 0);
	cr_expect_eq(field("SCRIPT_NAME"), PROXY_FIELD_DROPPED);
	cr_expect_eq(field("X_Forwarded_For"), PROXY_FIELD_DROPPED);
	tear_down();
}

Test(proxy_rules, of_named_fields_the_others_are_hidden_from_all)
{
	static const char *const options[] = {
	    "forwarded_headers=x-forwarded-for",
	    "secure_scheme_headers=X-Forwarded-Proto=https", NULL};

	set_up(options);
	cr_expect(rules.is_active);
	cr_expect_eq(rules.hidden[true] & PROXY_FIELDS_FORWARDED,
	    1u << FORWARDED_STANDARD | 1u << FORWARDED_HOST |
		1u << FORWARDED_PORT | 1u << FORWARDED_PREFIX);
	tear_down();
}

/* ---- a request ---- */

static const char *
judge(const char *text, bool is_trusted, struct proxy_verdict *verdict)
{
	static struct http_head head;
	struct http_parser parser;
	size_t len = strlen(text), used;

	text = guarded(text, len);
	http_parser_init(&parser, &head, &limits);
	cr_assert_eq(
	    http_parser_head(&parser, text, len, &used), HTTP_COMPLETE);
	return (proxy_rules_judge(&rules, is_trusted, text, &head, verdict));
}

/* clang-format off */
static const struct { const char *path; uint32_t skip; } paths[] = {
	{ "/a/b/c", 4 }, { "/a/b", 4 }, { "/a/b/", 4 }, { "/a/b?c", 4 },
	{ "/a/b//c", 4 }, { "/%61/%62/c", 8 }, { "/a%2Fb%2fc", 6 },
	{ "http://x/a/b/c", 4 },
	{ "/a/bc", 0 }, { "/a", 0 }, { "/", 0 }, { "/A/b/c", 0 }, { "//a/b", 0 },
	{ "/a/b%", 0 }, { "/a/b%2", 0 }, { "/a/b%zz", 0 }, { "/a/%6", 0 },
	{ "/a%252Fb", 0 }, { "http://x", 0 }, { "http://x?/a/b", 0 },
};
/* clang-format on */

Test(proxy_rules, prefix_is_the_begin_of_a_path_however_it_is_escaped)
{
	static const char *const options[] = {"url_prefix=/a/b", NULL};
	struct proxy_verdict verdict;
	char text[128];
	size_t i;

	set_up(options);
	for (i = 0; i < nitems(paths); i++) {
		snprintf(text, sizeof(text),
		    "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", paths[i].path);
		cr_expect_null(judge(text, i % 2 == 0, &verdict));
		cr_expect_eq(verdict.path_skip, paths[i].skip, "%s: %u",
		    paths[i].path, verdict.path_skip);
	}
	tear_down();
}

#define GET "GET /a/b HTTP/1.1\r\nHost: x\r\n"

Test(proxy_rules, prefix_of_a_proxy_takes_the_place_of_our_own)
{
	static const char *const options[] = {"url_prefix=/a",
	    "forwarder_headers=SCRIPT_NAME",
	    "forwarded_headers=x-forwarded-prefix", NULL};
	struct proxy_verdict verdict;

	set_up(options);
	cr_expect_null(judge(GET "\r\n", true, &verdict));
	cr_expect_eq(verdict.path_skip, 2);
	cr_expect_null(
	    judge(GET "X-Forwarded-Prefix: /a\r\n\r\n", true, &verdict));
	cr_expect_eq(verdict.path_skip, 0);
	cr_expect_null(judge(GET "SCRIPT_NAME: /a/b\r\n\r\n", true, &verdict));
	cr_expect_eq(verdict.path_skip, 4);
	cr_expect_null(judge(GET "SCRIPT_NAME:\r\n\r\n", true, &verdict));
	cr_expect_eq(verdict.path_skip, 0);
	cr_expect_str_eq(judge(GET "SCRIPT_NAME: /b\r\n\r\n", true, &verdict),
	    "path is not below SCRIPT_NAME");
	/* A stranger's is not even looked at. */
	cr_expect_null(judge(GET "SCRIPT_NAME: x\r\n\r\n", false, &verdict));
	cr_expect_eq(verdict.path_skip, 2);
	tear_down();
}

Test(proxy_rules, underscores_are_refused_if_asked_but_for_the_named)
{
	static const char *const options[] = {"header_map=refuse",
	    "forwarder_headers=REMOTE_USER,SCRIPT_NAME", NULL};
	struct proxy_verdict verdict;

	set_up(options);
	cr_expect_null(judge(GET "X-A: b\r\n\r\n", false, &verdict));
	cr_expect_null(judge(GET "Remote_User: b\r\n\r\n", true, &verdict));
	cr_expect_null(judge(GET "SCRIPT_NAME: /a\r\n\r\n", true, &verdict));
	cr_expect_not_null(judge(GET "X_A: b\r\n\r\n", true, &verdict));
	cr_expect_not_null(
	    judge(GET "REMOTE_USER: b\r\n\r\n", false, &verdict));
	cr_expect_not_null(judge(
	    GET "REMOTE_USER: b\r\nremote_user: b\r\n\r\n", true, &verdict));
	tear_down();
}

Test(proxy_rules, untrusted_fields_are_noticed_if_asked)
{
	static const char *const options[] = {"log_untrusted=on", NULL};
	struct proxy_verdict verdict;

	set_up(options);
	cr_expect_null(judge(GET "X-Real-IP: a\r\n\r\n", false, &verdict));
	cr_expect(verdict.has_untrusted);
	cr_expect_null(judge(GET "X-Real-IP: a\r\n\r\n", true, &verdict));
	cr_expect_not(verdict.has_untrusted);
	cr_expect_null(judge(GET "X-Real: a\r\n\r\n", false, &verdict));
	cr_expect_not(verdict.has_untrusted);
	tear_down();
}
