-- reserve_job: a call to the model that is no turn's, before it is made: a summary. It has no lease. It ends by itself, at its amount, after
-- `lasts` if nobody has settled it. `person` pays for it, whose clock is `offset` ms ahead of UTC ("" for none). A repeat gets the first
-- answer. Answer: "ok", or why there is no room ("spent", "month", "own_month", "share", "reserved", "dear").
-- uses: spending
-- args: model_call amount# person offset# lasts# price{micros# model}
-- args: bounds{tokens# turns# sender# forwarded# day# month# own_day# own_month#}
local t = now()
if read_model_call(model_call) then return 'ok' end
bounds.turns = 0
local books = Money.look('', t, person ~= '' and person or '-', offset)
local stop = refusal(books, bounds, amount, price.micros)
if stop == '' then
  Money.reserve(books, {id = model_call, conv = '-', token = '-', ends = t + lasts}, amount, price.micros, price.model, bounds)
  return 'ok'
end
return stop
