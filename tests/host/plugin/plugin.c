/* A plugin with the whole library in it, which a host loads and unloads. */
#include "../guest.h"

int plugin_is_well(void);

/* Makes a guest and lets it trap a few times; 1 when all was as it should be. */
__attribute__((visibility("default"))) int plugin_is_well(void) {
    struct guest guest;
    bool well = guest_open(&guest);
    for (int i = 0; i < 3 && well; i++)
        well = guest_is_well(guest.instance);
    guest_close(&guest);
    return well;
}
