compositord_test(base SOURCES base_test.cpp LIBRARIES compositord::base LABELS unit)
compositord_test(feed_view SOURCES feed_view_test.cpp LIBRARIES compositord::feed LABELS unit)
