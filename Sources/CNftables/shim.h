// libnftables' one header: contexts, buffered runs, dry runs.
#include <nftables/libnftables.h>
