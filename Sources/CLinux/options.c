#include "clinux.h"

#include <getopt.h>
#include <stddef.h>
#include <string.h>

int clinux_next_option(int argc, char *const argv[], const char *const names[],
                       const bool takes_value[], int count, const char **value, int *operand) {
    struct option options[count + 1];
    for (int i = 0; i < count; i++) {
        options[i] = (struct option){
            names[i], takes_value[i] ? required_argument : no_argument, NULL, 0};
    }
    options[count] = (struct option){NULL, 0, NULL, 0};
    int index = -1;
    int answer = getopt_long(argc, argv, "h", options, &index);
    *value = optarg;
    *operand = optind;
    if (answer == 0) return index;
    for (int i = 0; answer == 'h' && i < count; i++) {
        if (strcmp(names[i], "help") == 0) return i;
    }
    return answer == -1 ? -1 : -2;
}
