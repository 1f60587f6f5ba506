// Publishes over HTTP and the WebSocket API:  go run . API_URL CHANNEL TEXT
package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// Params are the parameters of mesh.publish.
type Params struct {
	Channel string `json:"c"`
	Data    string `json:"d"`
}

// Answer is the envelope of every answer.
type Answer struct {
	Error *struct {
		Code    int    `json:"c"`
		Message string `json:"m"`
	} `json:"E"`
	Result struct {
		Success int `json:"s"`
		Fail    int `json:"f"`
	} `json:"r"`
}

func (answer Answer) print(transport string) {
	if answer.Error != nil {
		fail(fmt.Errorf("error %d: %s", answer.Error.Code, answer.Error.Message))
	}
	fmt.Printf("%s: success %d, fail %d\n", transport, answer.Result.Success, answer.Result.Fail)
}

// login is the header for LUMESH_USER (name:password), if there is one.
func login() http.Header {
	header := http.Header{}
	if user := os.Getenv("LUMESH_USER"); user != "" {
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user)))
	}
	return header
}

func overHTTP(ctx context.Context, api string, params Params) (answer Answer, err error) {
	body, _ := json.Marshal(params)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, api+"/v1/mesh/publish", bytes.NewReader(body))
	if err != nil {
		return answer, err
	}
	request.Header = login()
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer, err
	}
	defer response.Body.Close()
	return answer, json.NewDecoder(response.Body).Decode(&answer)
}

func overWebSocket(ctx context.Context, api string, params Params) (answer Answer, err error) {
	url := strings.Replace(api, "http", "ws", 1) + "/ws/v1"
	socket, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPHeader: login()})
	if err != nil {
		return answer, err
	}
	defer socket.CloseNow()
	// Many calls may be under way on one connection; the answers carry their ids.
	call := map[string]any{"m": "mesh.publish", "p": params, "i": 1}
	if err := wsjson.Write(ctx, socket, call); err != nil {
		return answer, err
	}
	err = wsjson.Read(ctx, socket, &answer)
	socket.Close(websocket.StatusNormalClosure, "")
	return answer, err
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	if len(os.Args) != 4 {
		fail(fmt.Errorf("usage: client API_URL CHANNEL TEXT"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	api, params := os.Args[1], Params{Channel: os.Args[2], Data: os.Args[3]}
	answer, err := overHTTP(ctx, api, params)
	fail(err)
	answer.print("http")
	answer, err = overWebSocket(ctx, api, params)
	fail(err)
	answer.print("websocket")
}
