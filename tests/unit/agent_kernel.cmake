# What the kernel knows of connectors, monitors and cards.
compositord_test(agent_kernel
  SOURCES edid_test.cpp kernel_test.cpp support/edid_bytes.cpp support/temp_dir.cpp
  LIBRARIES compositord::agent_kernel)
