compositord_test(base SOURCES base_test.cpp LIBRARIES compositord::base LABELS unit)
