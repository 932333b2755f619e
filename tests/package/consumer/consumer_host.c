/** The same with the Linux layer: a link that goes through recorder and loop without a TUN. */
#include <handfast/host.h>

#include <stdio.h>

static void stop(void *ctx, struct hf_loop *loop, hf_ns now)
{
    (void)ctx, (void)now;
    hf_loop_stop(loop);
}

/** A round of a loop around a stack. */
static int run_loop(void)
{
    struct hf_why why;
    struct hf_config cfg;
    struct hf_env env;
    struct hf_stack *stack;
    struct hf_loop *loop;
    hf_config_init(&cfg, sizeof cfg);
    if (hf_env_linux(&env, &why) != HF_OK)
        return HF_E_SYSTEM;
    int err = hf_stack_new(&stack, &cfg, &env, hf_host_now());
    if (err != HF_OK)
        return err;
    const struct hf_loop_config around = {.stack = stack, .events = stop};
    err = hf_loop_new(&loop, &around, &why);
    if (err == HF_OK) {
        hf_loop_wake(loop);
        err = hf_loop_run(loop, &why);
        hf_loop_free(loop);
    }
    hf_stack_free(stack);
    return err;
}

/** What can't be opened, and what would be wrapped around it: all of it has to be linked. */
static int open_nothing(void)
{
    const struct hf_tun_config tun = {.device = "/dev/null"};
    const struct hf_record_config record = {.path = "/dev/null"};
    struct hf_why why;
    struct hf_link *link;
    struct hf_spoil_rule rule;
    size_t count;
    if (hf_spoil_parse("drop syn once", &rule, 1, &count, &why) != HF_OK)
        return HF_E_INVALID;
    if (hf_link_tun_open(&link, &tun, &why) != HF_OK)
        return HF_OK;
    if (hf_link_spoil(&link, link, &rule, count, NULL, NULL, &why) == HF_OK &&
        hf_link_record(&link, link, &record, &why) == HF_OK)
        hf_link_close(link);
    return HF_E_INVALID;
}

int main(void)
{
    int err = run_loop();
    printf("%s %s\n", HF_VERSION_TEXT, hf_err_name(err == HF_OK ? open_nothing() : err));
    return 0;
}
