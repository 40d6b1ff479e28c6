package conformance

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// ends is a row about how a connection ends: what MQTT 5 is told, the reason in the event, and that the will
// comes, or not. MQTT 3.1.1 is told nothing.
func ends(name, code, reason string, hasWill bool, end func(*peer)) row {
	return each("13", name, func(p *peer) {
		watch := p.watches(p.topic("w"), "$aws/events/presence/disconnected/"+p.id)
		p.connect(will(p.topic("w"), 1))
		end(p)
		want := []string{fmt.Sprintf(`"disconnectReason":%q`, reason)}
		if hasWill {
			want = append(want, message(p.topic("w"), 1, "gone"))
		}
		watch.getsAll(want...)
		watch.sees("", open)
		if code != "" {
			p.sees(closed, "DISCONNECT "+code+", "+closed)
		}
	})
}

func sends(what ...any) func(*peer) { return func(p *peer) { p.send(what...) } }

const reasonsTest = "internal/gateway/mqttconn TestDisconnectReasons"

var endRows = []row{
	ends("client sends DISCONNECT", "", "CLIENT_INITIATED_DISCONNECT", false, sends(&mqtt.Disconnect{})),
	elsewhere("13", "WebSocket Close", "test/e2e TestWebSocketEnds: closes"),
	ends("TCP reset, EOF, TLS error: reset", "", "CONNECTION_LOST", true, (*peer).vanishes),
	ends("TCP reset, EOF, TLS error: EOF", "", "CONNECTION_LOST", true, func(p *peer) { p.must(p.c.Drop()) }),
	ends("TCP reset, EOF, TLS error: close_notify", "", "CONNECTION_LOST", true, func(p *peer) { p.must(p.c.Close()) }),
	elsewhere("13", "keep-alive x 1.5 exceeded", reasonsTest+": silence", "internal/gateway/mqttconn TestKeepAlive"),
	ends("same client id connected elsewhere", "0x8E", "DUPLICATE_CLIENTID", true, func(p *peer) { p.again(p.v).connect() }),
	ends("malformed packet", "0x81", "CLIENT_ERROR", true, sends("\x00\x00")),
	ends("protocol violation", "0x82", "CLIENT_ERROR", true, sends("\xd0\x00")),
	ends("second CONNECT", "0x82", "CLIENT_ERROR", true, func(p *peer) { p.send(p.hello()) }),
	ends("PUBREC etc.", "0x82", "CLIENT_ERROR", true, sends("\x50\x02\x00\x01")),
	ends("AUTH", "0x82", "CLIENT_ERROR", true, sends("\xf0\x00")),
	ends("payload too large", "0x97", "CLIENT_ERROR", true, sends(pub("a", 0, payload(string(bytesOf(131073)))))),
	ends("packet too large", "0x95", "CLIENT_ERROR", true, sends(pub("a", 0, payload(string(bytesOf(150000)))))),
	ends("QoS 2", "0x9B", "CLIENT_ERROR", true, sends(pub("a", 2))),
	elsewhere("13", "sub-id", "internal/gateway/mqttconn TestSubscribe: 3 subscription identifier"),
	elsewhere("13", "alias", "internal/gateway/mqttconn TestPublishRefused: 4 alias 9"),
	elsewhere("13", "receive max", "internal/gateway/mqttconn TestInflight"),
	elsewhere("13", "unauthorized publish", reasonsTest+": denied publish"),
	elsewhere("13", "certificate deactivated", reasonsTest+": certificate deactivated", "gatehousetest TestADeactivatedDeviceIsCut", "test/e2e TestDeactivationCutsLiveConnections"),
	elsewhere("13", "authorizer refresh says no", "internal/gateway/mqttconn TestRenewed"),
	elsewhere("13", "denied source IP", reasonsTest+": denied by source"),
	elsewhere("13", "throttling limit that ends the connection", reasonsTest+": throttled"),
	ends("DeleteConnection", "0x98", "API_INITIATED_DISCONNECT", true, func(p *peer) { p.isDeleted(false) }),
	ends("DeleteConnection with preventWillMessage", "0x98", "API_INITIATED_DISCONNECT", false, func(p *peer) { p.isDeleted(true) }),
	elsewhere("13", "maintenance / shutdown", reasonsTest+": shutdown"),
	elsewhere("13", "internal fault", reasonsTest+": broken server"),
	elsewhere("13", "WebSocket older than 24 h", reasonsTest+": 24 hours"),
	elsewhere("13", "the authorizer's disconnectAfterInSeconds", reasonsTest+": authorizer"),
}

// isDeleted has the API end the connection.
func (p *peer) isDeleted(preventWill bool) {
	p.Helper()
	_, err := p.data().DeleteConnection(p.Context(), &iotdataplane.DeleteConnectionInput{ClientId: &p.id, PreventWillMessage: preventWill})
	p.must(err)
}

func (p *peer) data() *iotdataplane.Client {
	return iotdataplane.NewFromConfig(p.gateway().AWSConfig())
}

func keepAlive(name string, asked, used uint16) row {
	return only5("14", name, func(p *peer) {
		if got := p.connect(func(c *mqtt.Connect) { c.KeepAlive = asked }).Props.ServerKeepAlive; got != used {
			p.Errorf("asked for %d, told %d, want %d", asked, got, used)
		}
	}).also("internal/gateway/mqttconn TestKeepAlive")
}

var keepAliveRows = []row{
	keepAlive("30..1200: 30", 30, 30),
	keepAlive("30..1200: 1200", 1200, 1200),
	keepAlive("1..29", 29, 30),
	keepAlive("0", 0, 1200),
	keepAlive("> 1200", 1201, 1200),
	elsewhere("14", "disconnect after 1.5 x the value; each packet buys it again", "internal/gateway/mqttconn TestKeepAlive"),
	elsewhere("14", "MQTT 3.1.1 outside the range", "internal/gateway/mqttconn TestKeepAlive", "test/refusals TestRefusals: H/keep-alive"),
}
