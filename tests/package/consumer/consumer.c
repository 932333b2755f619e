/** A program that knows only the installed library: prints its name for an error. */
#include <handfast/handfast.h>

#include <stdio.h>

int main(void)
{
    struct hf_config cfg;
    hf_config_init(&cfg, sizeof cfg);
    printf("%s %s\n", HF_VERSION_TEXT, hf_err_name(hf_config_check(&cfg, NULL)));
    return 0;
}
