/* One function a command: argc and argv begin with the command's name; the result is the exit
 * status. src/cli/cmd_<name>.c. */
#ifndef VB_CLI_COMMANDS_H
#define VB_CLI_COMMANDS_H

int vb_cmd_run(int argc, char **argv);
int vb_cmd_serve(int argc, char **argv);
int vb_cmd_chat(int argc, char **argv);
int vb_cmd_verify(int argc, char **argv);
int vb_cmd_open(int argc, char **argv);
int vb_cmd_key(int argc, char **argv);
int vb_cmd_receipts(int argc, char **argv);
int vb_cmd_log(int argc, char **argv);
int vb_cmd_publish(int argc, char **argv);
int vb_cmd_attest(int argc, char **argv);
int vb_cmd_confirm(int argc, char **argv);
int vb_cmd_beacon(int argc, char **argv);
int vb_cmd_inspect(int argc, char **argv);
int vb_cmd_tokenize(int argc, char **argv);
int vb_cmd_logits(int argc, char **argv);
int vb_cmd_hash(int argc, char **argv);
int vb_cmd_bench(int argc, char **argv);
int vb_cmd_version(int argc, char **argv);

#endif
