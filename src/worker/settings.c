/* settings - see settings.h. */
#include "settings.h"

_Static_assert(CONFIG_FIELDS_MAX == HTTP_FIELDS_MAX,
    "the option's range is not the table");

/* Jobs that may wait for each thread, where max_queue does not say. */
#define QUEUE_PER_THREAD 16

void
settings_context(struct request_context *context, const struct config *cfg,
    const struct heritage *heritage)
{
	context->limits.line = (size_t)cfg->limit_request_line;
	context->limits.fields = (size_t)cfg->limit_request_fields;
	context->limits.field_size = (size_t)cfg->limit_request_field_size;
	context->limits.head = (size_t)cfg->max_head_size;
	context->limits.body = (uint64_t)cfg->max_body_size;
	context->body_buffer = (size_t)cfg->body_buffer;
	context->spool_dir = cfg->spool_dir;
	context->memory.limit = (size_t)cfg->max_buffered;
	context->high_watermark = (size_t)cfg->outbuf_high_watermark;
	context->server_header = cfg->server_header;
	proxy_rules_init(&context->proxy, cfg);
	context->slot = heritage->slot;
	context->multiprocess = cfg->workers > 1;
	context->multithread = cfg->threads > 1;
	context->keep_alive = cfg->keepalive_ms > 0;
}

struct conn_settings
settings_conn(const struct config *cfg)
{
	return ((struct conn_settings){
	    .header_timeout_ms = (uint64_t)cfg->header_timeout_ms,
	    .body_timeout_ms = (uint64_t)cfg->body_timeout_ms,
	    .keepalive_ms = (uint64_t)cfg->keepalive_ms,
	    .queue_timeout_ms = (uint64_t)cfg->queue_timeout_ms,
	    .send_timeout_ms = (uint64_t)cfg->send_timeout_ms,
	    .linger_timeout_ms = (uint64_t)cfg->linger_timeout_ms,
	    .min_rate = (uint64_t)cfg->min_rate,
	    .log_refused = (unsigned)cfg->log_refused,
	    .health_path = cfg->health_path,
	});
}

struct acceptor_settings
settings_acceptor(const struct config *cfg, const struct heritage *heritage)
{
	return ((struct acceptor_settings){
	    .listen_fds = heritage->listen_fds,
	    .nlisten = heritage->nlisten,
	    .max_connections = (size_t)cfg->max_connections,
	    .handover_send_fd = heritage->handover_send_fd,
	    .handover_receive_fd = heritage->handover_receive_fd,
	    .slot = heritage->slot,
	    .threads = (unsigned)cfg->threads,
	});
}

struct pool_settings
settings_pool(const struct config *cfg)
{
	unsigned threads = (unsigned)cfg->threads;

	return ((struct pool_settings){
	    .threads = threads,
	    .max_queue = cfg->max_queue != 0 ? (unsigned)cfg->max_queue
					     : QUEUE_PER_THREAD * threads,
	    .stack_size = (size_t)cfg->thread_stack_size,
	});
}
