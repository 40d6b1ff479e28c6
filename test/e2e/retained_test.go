package e2e

import (
	"context"
	"encoding/base64"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane/types"
	"github.com/eclipse/paho.golang/paho"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

func dataClient(gw *gatehouseproc.Process) *iotdataplane.Client {
	return iotdataplane.NewFromConfig(gw.Config())
}

// mosquitto runs mosquitto_pub or mosquitto_sub as d and returns what it printed.
func mosquitto(t *testing.T, gw *gatehouseproc.Process, program string, d gatehouseproc.Device, more ...string) string {
	t.Helper()
	text, err := exec.Command(program, mosquittoArgs(gw, d, more...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, text)
	}
	return string(text)
}

// TestRetainedMessages: mosquitto publishes and gets them, the AWS CLI reads and lists them, and
// kill -9 loses none.
func TestRetainedMessages(t *testing.T) {
	for _, client := range []string{"mosquitto_pub", "mosquitto_sub", "aws"} {
		gatehouseproc.Need(t, client)
	}
	dir := filepath.Join(t.TempDir(), "data")
	gw := gatehouseproc.StartIn(t, dir, "--limits", "open")
	d, _ := gw.AddPermissiveDevice(t, "keeper")
	for _, m := range [][]string{
		{"-V", "mqttv311", "-t", "state/a", "-m", "off"},
		{"-V", "mqttv5", "-t", "state/a", "-m", "on", "-D", "publish", "user-property", "by", "hand"},
		{"-V", "mqttv5", "-t", "state/b c/é", "-m", "x"},
		{"-V", "mqttv311", "-t", "state/gone", "-m", "x"},
		{"-V", "mqttv311", "-t", "state/gone", "-n"},
	} {
		mosquitto(t, gw, "mosquitto_pub", d, append(m, "-q", "1", "-r")...)
	}
	gw.Kill()
	gw = gatehouseproc.StartIn(t, dir, "--limits", "open")
	for _, version := range []string{"mqttv311", "mqttv5"} {
		if got, want := mosquitto(t, gw, "mosquitto_sub", d, "-V", version, "-t", "state/a", "-q", "1", "-C", "1", "-W", "10", "-F", "%t %q %r %p"), "state/a 1 1 on\n"; got != want {
			t.Errorf("%s: received %q, want %q", version, got, want)
		}
	}
	// A wildcard gets nothing: the live message is the first that comes.
	other, _ := gw.AddPermissiveDevice(t, "other")
	received := make(chan string, 1)
	go func() {
		text, _ := exec.Command("mosquitto_sub", mosquittoArgs(gw, d, "-t", "state/#", "-C", "1", "-W", "20", "-F", "%r %p")...).CombinedOutput()
		received <- string(text)
	}()
	waitSubscribed(t, gw, d.ThingName)
	mosquitto(t, gw, "mosquitto_pub", other, "-t", "state/x", "-m", "live", "-q", "1")
	if got := receive(t, received); got != "0 live\n" {
		t.Errorf("state/#: received %q, want the live message", got)
	}

	var message struct {
		Topic, Payload, UserProperties string
		Qos, LastModifiedTime          int64
	}
	gw.JSON(t, &message, "aws", "iot-data", "get-retained-message", "--topic", "state/a")
	payload, _ := base64.StdEncoding.DecodeString(message.Payload)
	properties, _ := base64.StdEncoding.DecodeString(message.UserProperties)
	if string(payload) != "on" || string(properties) != `[{"by":"hand"}]` || message.Qos != 1 || time.Since(time.UnixMilli(message.LastModifiedTime)) > 10*time.Minute {
		t.Errorf("get-retained-message: %+v, payload %q, properties %s", message, payload, properties)
	}
	if text := awsFails(t, gw, "iot-data", "get-retained-message", "--topic", "state/gone"); !strings.Contains(text, "ResourceNotFoundException") {
		t.Errorf("a deleted one: %s", text)
	}
	var list struct{ RetainedTopics []struct{ Topic string } }
	gw.JSON(t, &list, "aws", "iot-data", "list-retained-messages", "--page-size", "1")
	if len(list.RetainedTopics) != 2 || list.RetainedTopics[0].Topic != "state/a" || list.RetainedTopics[1].Topic != "state/b c/é" {
		t.Errorf("list-retained-messages by pages of one: %+v", list)
	}
	data := dataClient(gw)
	one := ok2(data.GetRetainedMessage(t.Context(), &iotdataplane.GetRetainedMessageInput{Topic: aws.String("state/b c/é")}))(t)
	if string(one.Payload) != "x" {
		t.Errorf("the SDK reads %q", one.Payload)
	}
	wantAWSError(t, fail(data.ListRetainedMessages(t.Context(), &iotdataplane.ListRetainedMessagesInput{NextToken: aws.String("x")})), "InvalidRequestException", 400)
}

// TestConnections: GetConnection, ListSubscriptions, SendDirectMessage, DeleteConnection and
// GetThingConnectivityData, with lifecycle events and a will, by AWS's clients.
func TestConnections(t *testing.T) {
	for _, client := range []string{"mosquitto_pub", "mosquitto_sub", "aws"} {
		gatehouseproc.Need(t, client)
	}
	gw := gatehouseproc.Start(t, "--limits", "open")
	data, control := dataClient(gw), gw.IoT()
	watcher, _ := gw.AddPermissiveDevice(t, "watcher")
	events := exec.Command("mosquitto_sub", mosquittoArgs(gw, watcher, "-t", "$aws/events/presence/+/pump 1", "-t", "$aws/events/subscriptions/+/pump 1", "-t", "wills/pump", "-C", "4", "-W", "30", "-F", "%t %p")...)
	var seen strings.Builder
	events.Stdout = &seen
	if err := events.Start(); err != nil {
		t.Fatal(err)
	}
	waitSubscribed(t, gw, "watcher")

	d, config := gw.AddPermissiveDevice(t, "pump-1")
	id := aws.String("pump 1") // a client ID that is encoded in the path
	wantAWSError(t, fail(data.GetConnection(t.Context(), &iotdataplane.GetConnectionInput{ClientId: id})), "ResourceNotFoundException", 404)
	received := make(chan *paho.Publish, 10)
	gone := make(chan *paho.Disconnect, 1)
	client := paho.NewClient(paho.ClientConfig{
		Conn:               dialPaho5(t, gw, config),
		OnPublishReceived:  []func(paho.PublishReceived) (bool, error){func(r paho.PublishReceived) (bool, error) { received <- r.Packet; return true, nil }},
		OnServerDisconnect: func(p *paho.Disconnect) { gone <- p },
	})
	if _, err := client.Connect(t.Context(), &paho.Connect{
		ClientID: *id, CleanStart: true, KeepAlive: 60,
		WillMessage: &paho.WillMessage{Topic: "wills/pump", Payload: []byte("left"), QoS: 1},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Subscribe(t.Context(), &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "cmd/b", QoS: 1}, {Topic: "cmd/a", QoS: 0}}}); err != nil {
		t.Fatal(err)
	}

	c := ok2(data.GetConnection(t.Context(), &iotdataplane.GetConnectionInput{ClientId: id, IncludeSocketInformation: true}))(t)
	if !c.Connected || aws.ToString(c.SourceIp) != "127.0.0.1" || c.TargetPort != int32(gw.Ports.MQTT) || c.KeepAliveDuration != 60 || !c.CleanSession {
		t.Errorf("GetConnection: %+v", c)
	}
	subscriptions := pages(t, iotdataplane.NewListSubscriptionsPaginator(data, &iotdataplane.ListSubscriptionsInput{ClientId: id, MaxResults: aws.Int32(1)}),
		func(p *iotdataplane.ListSubscriptionsOutput) []types.SubscriptionSummary { return p.Subscriptions })
	if len(subscriptions) != 2 || aws.ToString(subscriptions[0].TopicFilter) != "cmd/a" || subscriptions[1].Qos != 1 {
		t.Errorf("ListSubscriptions: %+v", subscriptions)
	}
	answer := ok2(data.SendDirectMessage(t.Context(), &iotdataplane.SendDirectMessageInput{
		ClientId: id, Topic: aws.String("direct"), Payload: []byte("go"), Confirmation: true, Timeout: 15,
		ContentType: aws.String("text/plain"), ResponseTopic: aws.String("answers"), CorrelationData: aws.String("Nw=="),
		UserProperties: aws.String(`[{"a":"1"},{"a":"2"}]`), PayloadFormatIndicator: types.PayloadFormatIndicatorUtf8Data,
	}))(t)
	if m := receive(t, received); m.Topic != "direct" || string(m.Payload) != "go" || m.QoS != 1 || m.Properties.ContentType != "text/plain" ||
		m.Properties.ResponseTopic != "answers" || string(m.Properties.CorrelationData) != "7" || len(m.Properties.User) != 2 || m.Properties.User[1].Value != "2" {
		t.Errorf("SendDirectMessage delivered %+v, %+v", m, m.Properties)
	}
	if aws.ToString(answer.TraceId) == "" {
		t.Errorf("SendDirectMessage: %+v", answer)
	}
	wantAWSError(t, fail(data.SendDirectMessage(t.Context(), &iotdataplane.SendDirectMessageInput{ClientId: aws.String("nobody"), Topic: aws.String("t")})), "ResourceNotFoundException", 404)
	wantAWSError(t, fail(data.SendDirectMessage(t.Context(), &iotdataplane.SendDirectMessageInput{ClientId: id, Topic: aws.String("t/#")})), "InvalidRequestException", 400)
	wantAWSError(t, fail(data.SendDirectMessage(t.Context(), &iotdataplane.SendDirectMessageInput{ClientId: id, Topic: aws.String("t"), Confirmation: true, Timeout: 16})), "InvalidRequestException", 400)

	gw.MustRun(t, "aws", "iot-data", "delete-connection", "--client-id", *id)
	if p := receive(t, gone); p.ReasonCode != 0x98 {
		t.Errorf("DISCONNECT 0x%X, want 0x98", p.ReasonCode)
	}
	eventually(t, "GetConnection tells the end", func() bool {
		c, err := data.GetConnection(context.Background(), &iotdataplane.GetConnectionInput{ClientId: id})
		return err == nil && !c.Connected && aws.ToString(c.DisconnectReason) == "API_INITIATED_DISCONNECT" && c.SourceIp == nil
	})
	if text := awsFails(t, gw, "iot-data", "delete-connection", "--client-id", *id); !strings.Contains(text, "ResourceNotFoundException") {
		t.Errorf("delete-connection twice: %s", text)
	}
	if err := events.Wait(); err != nil {
		t.Errorf("mosquitto_sub: %v", err)
	}
	for _, want := range []string{
		`$aws/events/presence/connected/pump 1 {"clientId":"pump 1","timestamp":`,
		`$aws/events/subscriptions/subscribed/pump 1 {"clientId":"pump 1","timestamp":`,
		`"topics":["cmd/b","cmd/a"]}`,
		"wills/pump left",
		`$aws/events/presence/disconnected/pump 1 {"clientId":"pump 1","timestamp":`,
		`"eventType":"disconnected","clientInitiatedDisconnect":false,"disconnectReason":"API_INITIATED_DISCONNECT",`,
		`"principalIdentifier":"` + d.CertificateID + `"`,
	} {
		if !strings.Contains(seen.String(), want) {
			t.Errorf("events do not say %s:\n%s", want, seen.String())
		}
	}

	mosquitto(t, gw, "mosquitto_pub", d, "-t", "x", "-m", "x", "-q", "1")
	var connectivity *iot.GetThingConnectivityDataOutput
	eventually(t, "the thing is known to be away", func() bool {
		var err error
		connectivity, err = control.GetThingConnectivityData(context.Background(), &iot.GetThingConnectivityDataInput{ThingName: &d.ThingName})
		return err == nil && !aws.ToBool(connectivity.Connected) && connectivity.DisconnectReason == "CLIENT_INITIATED_DISCONNECT"
	})
	if connectivity.Timestamp == nil {
		t.Errorf("GetThingConnectivityData: %+v", connectivity)
	}
	wantAWSError(t, fail(control.GetThingConnectivityData(t.Context(), &iot.GetThingConnectivityDataInput{ThingName: aws.String("none")})), "ResourceNotFoundException", 404)
}
