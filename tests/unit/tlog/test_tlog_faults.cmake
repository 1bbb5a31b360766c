# The test makes the nth call to the disk kill the process, lose what was not synced, or fail.
target_link_options(test_tlog_faults PRIVATE
  -Wl,--wrap=write,--wrap=fsync,--wrap=renameat,--wrap=mkdirat,--wrap=unlinkat)
