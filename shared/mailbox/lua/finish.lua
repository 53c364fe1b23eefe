-- finish: close the turn. Fenced, but allowed after expiry while nobody else took the lease.
-- Removes exactly the turn's messages, gives up the lease, says whether messages remain and enqueues the next job if they do.
-- A repeat gets the first answer. A turn that ends without a reply may have a call to settle: first, whoever holds the lease.
-- One whose address is not its person's any more is told elsewhere.
-- uses: turns replies spending
-- args: conv token state reason retention settled{model_call used# answer cost#} wake...
local asked = settle(settled.model_call, settled.used, settled.answer, settled.cost)
if get(conv_key(conv), 'token') == token then
  end_model_call(conv)
  if reason == 'nothing_to_say' then count_turn_of(asked) end
end
local turn = get(conv_key(conv), 'token') == token and get(conv_key(conv), 'turn') or ''
if reason == 'address_removed' and turn ~= '' then not_reached(reply_of(turn), now()) end
return finish_turn(conv, token, state, reason, retention, now())
