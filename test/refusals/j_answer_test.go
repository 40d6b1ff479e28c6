package refusals

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
	"github.com/gatehouse-iot/gatehouse/test/rawmqtt"
)

// answerRows are what the function does, and what it answers. Source: custom-auth sheet 7, 9, 15, 18.
var answerRows = []refusal{
	{
		id: "J-10/throws", does: "meets an authorizer that throws", setup: authorized, act: byAuthorizer(byName, "throw"),
		sees: denied, code: "authorizer.function_error", says: "TypeError: no such user",
		proof: map[string]string{"error_type": "TypeError", "error_message": "no such user", "elapsed": "~s", "log_tail": "~REPORT RequestId: "},
	},
	{
		id: "J-11", does: "meets an authorizer that takes 7 seconds", setup: authorized, act: byAuthorizer(byName, "sleep"),
		sees: denied, code: "authorizer.timeout", proof: map[string]string{"required": "~s"},
	},
	{
		id: "J-10/null", does: "meets an authorizer that returns nothing", setup: authorized, act: byAuthorizer(byName, "nothing"),
		sees: denied, code: "authorizer.response_invalid", proof: map[string]string{"json_path": "$"},
	},
	{
		id: "J-10/type", does: "meets an authorizer that answers a text for a boolean", setup: authorized, act: byAuthorizer(byName, "text"),
		sees: denied, code: "authorizer.response_invalid", proof: map[string]string{"json_path": "~isAuthenticated"},
	},
	{
		id: "J/principal", does: "meets an authorizer that answers a principal ID with a hyphen", setup: authorized, act: byAuthorizer(byName, "hyphen"),
		sees: denied, code: "authorizer.principal_id_invalid", says: "'-'",
	},
	{
		id: "J-10/documents", does: "meets an authorizer that answers 11 documents", setup: authorized, act: byAuthorizer(byName, "eleven"),
		sees: denied, code: "authorizer.documents_invalid", says: "11 documents",
	},
	{
		id: "J/duration", does: "meets an authorizer that answers a refresh after 60 seconds", setup: authorized, act: byAuthorizer(byName, "short"),
		sees: denied, code: "authorizer.duration_invalid", proof: map[string]string{"offered": "60"},
	},
	{
		id: "J/rejected", does: "is rejected by its authorizer", setup: authorized, act: byAuthorizer(byName, "reject"),
		sees: denied, code: "authorizer.rejected",
	},
	{
		id: "J-04", does: "is authenticated, and the returned policy does not allow iot:Connect", setup: authorized, act: byAuthorizer(byName, "publishonly"),
		sees: denied, code: "authz.connect.no_statement",
	},
	{
		id: "J/no-documents", does: "is authenticated, and no document is returned", setup: authorized, act: byAuthorizer(byName, "empty"),
		sees: denied, code: "authorizer.policy",
	},
	{
		id: "J-10/document", does: "meets an authorizer that answers a malformed document", setup: authorized, act: byAuthorizer(byName, "malformed"),
		sees: denied, code: "authorizer.documents_invalid", proof: map[string]string{"json_path": "$$.policyDocuments[0]"},
	},
	{
		id: "J-10/large", does: "meets an authorizer that answers a document of more than 2048 characters", setup: authorized, act: byAuthorizer(byName, "large"),
		sees: denied, code: "authorizer.documents_invalid", says: "the maximum is 2048",
	},
	{
		id: "J-04/publish", does: "is authenticated, and the returned policy does not allow its publish", setup: authorized,
		act:  thenSends(publish("lab/x", 1)),
		sees: byMQTT("CONNACK 0x00, "+closed, "CONNACK 0x00, PUBACK 0x87, open"), code: "authz.publish", proof: returned, fix: "gatehouse authorizer replay $trace",
	},
	{
		id: "J-04/subscribe", does: "is authenticated, and the returned policy does not allow its subscription", setup: authorized,
		act:  thenSends(subscribe("lab/x")),
		sees: byMQTT("CONNACK 0x00, "+closed, "CONNACK 0x00, SUBACK 0x87, open"), code: "authz.subscribe", proof: returned, fix: "gatehouse authorizer replay $trace",
	},
}

// returned is the evidence of a denial by the documents of an authorizer.
var returned = map[string]string{"policies": "~returned by $client (policyDocuments[0])"}

// thenSends connects by an authorizer that allows iot:Connect alone, and sends a packet.
func thenSends(p mqtt.Packet) func(*device) rawmqtt.End {
	return func(d *device) rawmqtt.End {
		d.t.Helper()
		o, hello := d.customHello("", []string{"mqtt"}, byName, "connectonly")
		return d.try(o, d.encode(hello, p)...)
	}
}

// TestPrintedFixShowsTheLog runs the fix that is no repair: it shows what the function wrote.
func TestPrintedFixShowsTheLog(t *testing.T) {
	gatehouseproc.Need(t, "aws")
	row := answerRows[slices.IndexFunc(answerRows, func(r refusal) bool { return r.id == "J-10/throws" })]
	d, _ := row.refusedAs(t, variant{tls.VersionTLS13, mqtt.V311, closed})
	fix := d.printedFix(row.code)
	out, stderr, err := d.gw.Run(t.Context(), t.TempDir(), "sh", "-c", fix)
	if err != nil || !strings.Contains(out, "START RequestId: ") || !strings.Contains(out, "TypeError: no such user") || !strings.Contains(out, "REPORT RequestId: ") {
		t.Errorf("%s: %v\n%s%s", fix, err, out, stderr)
	}
}
