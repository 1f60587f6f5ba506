function on_message(msg)
  local request, err = mix.json_decode(msg.data)
  if err or request.op ~= "echo" then return mix.websocket():close(1008) end
  mix.websocket():send(mix.json_encode({ op = request.op, id = request.id, text = request.text }))
end
