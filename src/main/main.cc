#include "main/cli.h"

int main(int argc, char** argv) {
  return trunkline::main::run_command_line(argc, argv);
}
