-- People whose time zone has changed. A reminder keeps the zone by whose clock it was set.
local ZONE_CHANGED = K.zone_changed
