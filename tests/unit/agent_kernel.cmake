# What the kernel knows of connectors, monitors and cards.
compositord_test(agent_kernel
  SOURCES edid_test.cpp kernel_test.cpp support/edid_bytes.cpp
  LIBRARIES compositord::test_support compositord::agent_kernel)
