-- Effects: what a tool of ours changes. Each is a function of `context` (person, user, conv, turn, call, t in ms, marked, channel, zone) and
-- of its arguments, and returns the tool's result, a table. It runs in the script that stores that result, under an id made of turn and
-- call, and judges its bounds there: it happens once, or not at all.
local EFFECTS = {}
