// libmnl: netlink sockets and attribute parsing.
#include <libmnl/libmnl.h>
// Message types, groups and attributes of nf_tables notifications.
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nf_tables.h>
// Attributes of iptables' targets in nf_tables rules.
#include <linux/netfilter/nf_tables_compat.h>
// Messages and attributes of packets that rules log to a group.
#include <linux/netfilter/nfnetlink_log.h>
// Message types and attributes of connection tracking.
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter/nf_tables_compat.h>
// NFPROTO_INET, the family of our tables; glibc's addresses first, which the kernel's headers then
// do not define again.
#include <netinet/in.h>
#include <linux/netfilter.h>
// Groups of address notifications.
#include <linux/rtnetlink.h>
