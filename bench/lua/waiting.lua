function on_message(msg)
  local conn = mix.websocket()
  if msg.data == "wait" then conn:subscribe("user:" .. conn:client_id()) end
  if msg.data == "fail" then error("on purpose") end
  conn:send(msg.data)
end
