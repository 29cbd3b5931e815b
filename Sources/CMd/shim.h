// libmd: SHA-256 for the digests of rulesets and stored generations. dpkg depends on this
// library, so every Debian system has it; swift-crypto would add several megabytes.
#include <sys/types.h>
#include <stdint.h>
#include <sha2.h>
