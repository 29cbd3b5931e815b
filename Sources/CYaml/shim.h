// libyaml's event parser: the only part used, since events keep both marks of every node.
#include <yaml.h>
