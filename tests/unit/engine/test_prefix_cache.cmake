# The test makes all keys collide.
target_link_options(test_prefix_cache PRIVATE -Wl,--wrap=vb_sha256_end)
