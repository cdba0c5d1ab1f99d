/* Word from the emperor to the service manager that started it. */
#ifndef KEEPER_SERVICE_H
#define KEEPER_SERVICE_H

/* Send `text` (lines of sd_notify) to $NOTIFY_SOCKET in the name of our parent; the exit code. */
int service_notify(const char *text);

#endif
