function on_message(msg)
  mix.websocket():send(msg.data, msg.type)
end
