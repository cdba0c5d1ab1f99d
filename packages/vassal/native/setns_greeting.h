/* What uWSGI says before it hands out namespaces: these bytes, a native int, and as many descriptors. */
#ifndef KEEPER_SETNS_GREETING_H
#define KEEPER_SETNS_GREETING_H

#define SETNS_GREETING "uwsgi-setns"
#define SETNS_GREETING_SIZE (sizeof SETNS_GREETING - 1) /* without its NUL */

#endif
