# What a round's proof tells is the test's to say.
target_link_options(test_trust_checks PRIVATE -Wl,--wrap=vb_beacon_verify)
