# The agent on a session bus: addresses, buses that misbehave, and Mutter's layouts.
compositord_test(agent_dbus
  SOURCES session_bus_test.cpp mutter_layout_test.cpp
  LIBRARIES compositord::test_support compositord::agent_mutter compositord::agent_systemd compositord::clock
  TIMEOUT 60)
