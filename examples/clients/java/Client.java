import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.WebSocket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Publishes over HTTP and the WebSocket API with the JDK alone: java Client.java API_URL CHANNEL TEXT */
public class Client {
  private static final Pattern COUNTS = Pattern.compile("\"s\":(\\d+),\"f\":(\\d+)");

  private final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();
  private final String api;

  private Client(String api) {
    this.api = api;
  }

  public static void main(String[] args) throws Exception {
    Client client = new Client(args[0]);
    String params = "{\"c\":" + quote(args[1]) + ",\"d\":" + quote(args[2]) + "}";
    print("http", client.overHttp(params));
    print("websocket", client.overWebSocket(params));
  }

  private String overHttp(String params) throws Exception {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create(api + "/v1/mesh/publish"))
            .timeout(Duration.ofSeconds(10))
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(params));
    if (login() != null) request.header("Authorization", login());
    return http.send(request.build(), BodyHandlers.ofString()).body();
  }

  private String overWebSocket(String params) throws Exception {
    CompletableFuture<String> answer = new CompletableFuture<>();
    WebSocket.Builder builder = http.newWebSocketBuilder();
    if (login() != null) builder.header("Authorization", login());
    WebSocket socket =
        builder
            .buildAsync(URI.create(api.replaceFirst("http", "ws") + "/ws/v1"), new FirstMessage(answer))
            .get(10, TimeUnit.SECONDS);
    // Many calls may be under way on one connection; the answers carry their ids.
    socket.sendText("{\"m\":\"mesh.publish\",\"p\":" + params + ",\"i\":1}", true);
    String text = answer.get(10, TimeUnit.SECONDS);
    socket.sendClose(WebSocket.NORMAL_CLOSURE, "").get(10, TimeUnit.SECONDS);
    return text;
  }

  /** Completes a future with the first whole text message. */
  private static class FirstMessage implements WebSocket.Listener {
    private final StringBuilder text = new StringBuilder();
    private final CompletableFuture<String> answer;

    FirstMessage(CompletableFuture<String> answer) {
      this.answer = answer;
    }

    @Override
    public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean last) {
      text.append(part);
      if (last) answer.complete(text.toString());
      socket.request(1);
      return null;
    }

    @Override
    public void onError(WebSocket socket, Throwable error) {
      answer.completeExceptionally(error);
    }
  }

  private static String login() {
    String user = System.getenv("LUMESH_USER");
    if (user == null || user.isEmpty()) return null;
    return "Basic " + Base64.getEncoder().encodeToString(user.getBytes(StandardCharsets.UTF_8));
  }

  /** A JSON string. Use your JSON library where you have one. */
  private static String quote(String text) {
    StringBuilder json = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\') json.append('\\').append(c);
      else if (c < ' ') json.append(String.format("\\u%04x", (int) c));
      else json.append(c);
    }
    return json.append('"').toString();
  }

  private static void print(String transport, String answer) {
    Matcher counts = COUNTS.matcher(answer);
    if (!answer.startsWith("{\"E\":null,") || !counts.find()) {
      System.err.println("refused: " + answer);
      System.exit(1);
    }
    System.out.println(transport + ": success " + counts.group(1) + ", fail " + counts.group(2));
  }
}
