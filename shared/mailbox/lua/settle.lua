-- settle: what a call to the model has used, told by itself: of a call that is no turn's, or of one whose turn has ended meanwhile. Unfenced,
-- and once a call: the first true use takes the place of its amount, whenever it comes.
-- uses: spending
-- args: settled{model_call used# answer cost#}
settle(settled.model_call, settled.used, settled.answer, settled.cost)
return ''
