// libmnl: netlink sockets and attribute parsing.
#include <libmnl/libmnl.h>
// Message types, groups and attributes of nf_tables notifications.
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nf_tables.h>
