# Passes of the model are counted and made to fail, and the shared cache is refused.
target_link_options(test_replay_together PRIVATE
  -Wl,--wrap=vb_forward_listed,--wrap=vb_forward,--wrap=vb_kv_pool_open)
