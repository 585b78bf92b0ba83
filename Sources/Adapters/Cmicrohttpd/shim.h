#include <microhttpd.h>

/* What Swift cannot call or name: a function with a variable list of arguments, a union, and enumerations whose cases are
   imported under names that differ from one version of the library to the next. */

struct rehearsal_daemon_settings {
    int listen_socket;
    unsigned int connection_limit;
    unsigned int timeout_seconds;
    size_t memory_limit;
    void *context;
    void *(*begin)(void *context, const char *target, struct MHD_Connection *connection);
    MHD_AccessHandlerCallback access;
    MHD_RequestCompletedCallback completed;
};

static inline struct MHD_Daemon *rehearsal_start_daemon(const struct rehearsal_daemon_settings *settings) {
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_SUSPEND_RESUME | MHD_USE_ITC, 0, NULL, NULL,
        settings->access, settings->context,
        MHD_OPTION_LISTEN_SOCKET, settings->listen_socket,
        MHD_OPTION_URI_LOG_CALLBACK, settings->begin, settings->context,
        MHD_OPTION_NOTIFY_COMPLETED, settings->completed, settings->context,
        MHD_OPTION_CONNECTION_LIMIT, settings->connection_limit,
        MHD_OPTION_CONNECTION_TIMEOUT, settings->timeout_seconds,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, settings->memory_limit,
        MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_END);
}

static inline unsigned int rehearsal_connection_count(struct MHD_Daemon *daemon) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info == NULL ? 0 : info->num_connections;
}

static inline int rehearsal_each_header(
    struct MHD_Connection *connection, MHD_KeyValueIteratorN iterator, void *context) {
    return MHD_get_connection_values_n(connection, MHD_HEADER_KIND, iterator, context);
}

static inline struct MHD_Response *rehearsal_response(size_t byte_count, void *bytes) {
    return MHD_create_response_from_buffer(byte_count, bytes, MHD_RESPMEM_MUST_COPY);
}

static const enum MHD_Result rehearsal_yes = MHD_YES;
static const enum MHD_Result rehearsal_no = MHD_NO;
