package refusals

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iot"

	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/test/rawmqtt"
)

// allowed is an active certificate with a policy of these statements.
func allowed(statements ...string) func(*device) {
	return func(d *device) { d.t.Helper(); d.issued(true); d.allow(statements...) }
}

// grantFix is the fix that adds a policy of one statement.
func grantFix(name, action, resource string) string {
	return "aws iot create-policy --policy-name " + name + ` --policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action +
		`","Resource":"arn:aws:iot:$region:$account:` + resource + `"}]}'` + "\naws iot attach-policy --policy-name " + name + " --target $certarn"
}

var grantConnect = grantFix("allow-connect-$client", "iot:Connect", "client/$client")

// thingOnly is a policy that knows the device by its thing.
const thingOnly = "iot:Connect client/${iot:Connection.Thing.ThingName}"

// changed connects with a CONNECT that change has changed.
func changed(change func(*device, *mqtt.Connect)) func(*device) rawmqtt.End {
	return func(d *device) rawmqtt.End {
		d.t.Helper()
		return d.connect(func(p *mqtt.Connect) { change(d, p) })
	}
}

// raw sends bytes as the first packet.
func raw(b string) func(*device) rawmqtt.End { return sendBytes(b, func(*device, *rawmqtt.Options) {}) }

func willOn(topic string, qos mqtt.QoS, retain bool) func(*device) rawmqtt.End {
	return changed(func(d *device, p *mqtt.Connect) {
		p.Will = &mqtt.Will{Topic: []byte(strings.ReplaceAll(topic, "CLIENT", d.name)), Payload: []byte("gone"), QoS: qos, Retain: retain}
	})
}

// hostile is text that a careless command would run, and a careless policy widen.
const hostile = " '\"; touch pwned; $(touch pwned) `touch pwned` \\ ${iot:ClientId} *?"

// connectRows is group E: CONNECT refused by policy, client ID, thing or form.
var connectRows = []refusal{
	{
		id: "E-01", does: "connects with a policy that has iot:* on a topic only",
		setup: allowed("iot:* topic/test"),
		sees:  denied, code: "authz.connect.resource_type", fix: grantConnect, after: accepted,
		proof: map[string]string{"action": "iot:Connect", "resource": "arn:aws:iot:$region:$account:client/$client", "policy": "$policy", "policies": "$policy (version 1)", "version": "1", "statement": "1", "pattern": "arn:aws:iot:$region:$account:topic/test"},
	},
	{
		id: "E-02", does: "connects with a policy that has no iot:Connect",
		setup: allowed("iot:Publish topic/*", "iot:Subscribe topicfilter/*"),
		sees:  denied, code: "authz.connect.no_statement", fix: grantConnect, after: accepted,
		proof: map[string]string{"action": "iot:Connect", "resource": "arn:aws:iot:$region:$account:client/$client"},
	},
	{
		id: "E-02/explain", does: "the same where refusals are told", mode: &helpful,
		setup: allowed("iot:Publish topic/*"),
		sees:  byMQTT("CONNACK 0x05, "+closed, "CONNACK 0x87, "+closed), code: "authz.connect.no_statement",
	},
	{
		id: "E-05", does: "connects with a certificate that has no policy",
		setup: func(d *device) { d.issued(true) },
		sees:  denied, code: "policy.none_attached", says: "$certarn", after: accepted,
	},
	{
		id: "E-11", does: "connects with a policy that names another account",
		setup: allowed("iot:Connect arn:aws:iot:us-east-1:111122223333:client/*"),
		sees:  denied, code: "policy.arn.account_mismatch", after: accepted,
		proof: map[string]string{"pattern": "arn:aws:iot:us-east-1:111122223333:client/*", "policy": "$policy"}, says: "this account is $account",
	},
	{
		id: "E-11/region", does: "connects with a policy that names another Region",
		setup: allowed("iot:Connect arn:aws:iot:eu-west-1:123456789012:client/*"),
		sees:  denied, code: "policy.arn.region_mismatch", after: accepted,
		proof: map[string]string{"pattern": "arn:aws:iot:eu-west-1:123456789012:client/*"}, says: "this Region is $region",
	},
	{
		id: "E-13", does: "connects with a thing variable in the policy, the thing not attached to the certificate",
		setup: func(d *device) { d.issued(true); d.allow(thingOnly); d.thing(false) },
		sees:  denied, code: "policy.var.undefined", says: "is not attached", after: accepted,
		proof: map[string]string{"variable": "iot:Connection.Thing.ThingName", "pattern": "arn:aws:iot:$region:$account:client/$${iot:Connection.Thing.ThingName}"},
		fix:   "aws iot create-thing --thing-name $client\naws iot attach-thing-principal --thing-name $client --principal $certarn",
	},
	{
		id: "E-13/no-thing", does: "connects with a thing variable in the policy, and there is no thing of that name",
		setup: allowed(thingOnly),
		sees:  denied, code: "policy.var.undefined", says: "no thing has the name", after: accepted,
		proof: map[string]string{"variable": "iot:Connection.Thing.ThingName"},
	},
	{
		id: "E-16", does: "connects as THING#2, as the Greengrass nucleus does",
		setup: func(d *device) {
			d.issued(true)
			d.allow("iot:Connect client/CLIENT")
			d.vars["thing"] = d.name
			d.name += "#2"
			d.vars["client"] = d.name
		},
		sees: denied, code: "authz.connect.client_id", also: []string{"mqtt.client_id.no_events"}, after: accepted,
		proof: map[string]string{"offered": "$client", "pattern": "arn:aws:iot:$region:$account:client/$thing"},
	},
	{
		id: "E-17", does: "connects with a client ID that is not in the policy's list",
		setup: allowed("iot:Connect client/pump-1 client/pump-2"),
		sees:  denied, code: "authz.connect.client_id", fix: grantConnect, after: accepted,
		proof: map[string]string{"offered": "$client", "resource": "arn:aws:iot:$region:$account:client/$client", "pattern": "~client/pump-", "policy": "$policy"},
	},
	{
		id: "E-19", does: "connects with the client ID of another client, which its thing policy does not allow",
		setup: func(d *device) {
			d.issued(true)
			d.allow(thingOnly)
			d.thing(true)
			d.vars["thing"] = d.name
			d.name += "-console"
			d.vars["client"] = d.name
		},
		sees: denied, code: "policy.var.undefined", proof: map[string]string{"variable": "iot:Connection.Thing.ThingName", "attached_thing": "$thing"},
		says: "The certificate is attached to the thing $thing.",
		fix:  "mosquitto_pub -h $endpoint -p $mqtt_port --cafile $ca --cert $cert-certificate.pem.crt --key $cert-private.pem.key -i $thing -t $thing/hello -m hello -q 1",
	},
	{
		id: "E/hostile", does: "has a client ID that is shell, JSON and policy variable at once",
		setup: func(d *device) {
			d.issued(true)
			d.allow("iot:Connect client/CLIENT")
			d.name += hostile
			d.vars["client"] = d.name
		},
		sees: denied, code: "authz.connect.client_id", after: accepted, proof: map[string]string{"offered": "$client"},
	},
	{
		id: "E/case", does: "connects as Name where the policy has name",
		setup: func(d *device) {
			d.issued(true)
			d.allow("iot:Connect client/CLIENT")
			d.name = strings.ToUpper(d.name)
			d.vars["client"] = d.name
		},
		sees: denied, code: "policy.case", refused: "authz.connect.client_id", fix: "", after: accepted,
	},
	{
		id: "E/deny", does: "connects with a quarantine policy that denies it",
		setup: func(d *device) {
			d.issued(true)
			d.allow("iot:* *")
			quarantine := d.name + "-quarantine"
			d.vars["quarantine"] = quarantine
			document := d.document("Deny iot:Connect client/CLIENT")
			_, err := d.gw.iot.CreatePolicy(d.ctx(), &iot.CreatePolicyInput{PolicyName: &quarantine, PolicyDocument: &document})
			d.must(err)
			d.policy = quarantine
			d.attach()
		},
		sees: denied, code: "policy.explicit_deny", after: accepted,
		proof: map[string]string{"policy": "$quarantine", "statement": "1"}, says: "Statement 1 of policy $quarantine denies iot:Connect",
		fix: "aws iot detach-policy --policy-name $quarantine --target $certarn",
	},
	{
		id: "E/version", does: "connects with a policy of which a version that is not the default would allow it",
		setup: func(d *device) {
			d.issued(true)
			d.allow("iot:Connect client/elsewhere")
			document := d.document("iot:Connect client/CLIENT")
			_, err := d.gw.iot.CreatePolicyVersion(d.ctx(), &iot.CreatePolicyVersionInput{PolicyName: &d.policy, PolicyDocument: &document})
			d.must(err)
		},
		sees: denied, code: "policy.not_default_version", refused: "authz.connect.client_id", after: accepted,
		fix: "aws iot set-default-policy-version --policy-name $policy --policy-version-id 2",
	},
	{
		id: "E/condition", does: "connects from an address that the policy's condition excludes",
		setup: func(d *device) {
			d.issued(true)
			d.grant(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}]}`)
		},
		sees: denied, code: "policy.condition", says: "$from", after: accepted,
		proof: map[string]string{"pattern": "~10.0.0.0/8"},
	},
	{
		id: "E-22", does: "has a last will with QoS 2",
		act:  willOn("sensors/CLIENT/gone", 2, false),
		sees: byMQTT(closed, "CONNACK 0x9B, "+closed), code: "mqtt.will.qos2", proof: map[string]string{"qos": "2", "topic": "sensors/$client/gone"},
	},
	{
		id: "E/will-denied", does: "has a last will on a topic on which it may not publish",
		setup: allowed("iot:Connect *"), act: willOn("sensors/CLIENT/gone", 1, false),
		sees: denied, code: "authz.will.publish", after: accepted,
		proof: map[string]string{"action": "iot:Publish", "resource": "arn:aws:iot:$region:$account:topic/sensors/$client/gone", "topic": "sensors/$client/gone"},
	},
	{
		id: "E/will-retain", does: "has a retained last will without iot:RetainPublish",
		setup: allowed("iot:Connect *", "iot:Publish *"), act: willOn("sensors/CLIENT/gone", 1, true),
		sees: denied, code: "authz.will.retain", after: accepted,
		proof: map[string]string{"action": "iot:RetainPublish", "resource": "arn:aws:iot:$region:$account:topic/sensors/$client/gone"},
	},
	{
		id: "E/will-topic", does: "has a last will on a topic with a wildcard",
		act:  willOn("sensors/#", 0, false),
		sees: byMQTT(closed, "CONNACK 0x90, "+closed), code: "mqtt.will.topic", proof: map[string]string{"topic": "sensors/#", "detector": "topic.invalid"},
	},
	{
		id: "G-14/will", does: "is a bridge whose last will is on $SYS",
		act:  willOn("$SYS/broker/connection/CLIENT/state", 1, false),
		sees: byMQTT(closed, "CONNACK 0x90, "+closed), code: "mqtt.will.topic", proof: map[string]string{"topic": "$$SYS/broker/connection/$client/state", "detector": "topic.reserved"},
	},
	{
		id: "E/client-id-empty", does: "sends an empty client ID and asks for a stored session",
		act:  changed(func(_ *device, p *mqtt.Connect) { p.ClientID, p.CleanStart = nil, false }),
		sees: byMQTT("CONNACK 0x02, "+closed, ""), code: "mqtt.client_id.empty",
	},
	{
		id: "E/client-id-assigned", does: "sends an empty client ID, and its policy allows certain ones",
		setup: allowed("iot:Connect client/CLIENT"),
		act:   changed(func(_ *device, p *mqtt.Connect) { p.ClientID = nil }),
		sees:  denied, code: "authz.connect.client_id_empty", says: "only a grant on client/*",
	},
	{
		id: "E/client-id-length", does: "sends a client ID of 129 bytes",
		act:  changed(func(_ *device, p *mqtt.Connect) { p.ClientID = []byte(strings.Repeat("a", 129)) }),
		sees: byMQTT("CONNACK 0x02, "+closed, "CONNACK 0x85, "+closed), code: "limit.client_id_length", proof: map[string]string{"offered": "129", "required": "128"},
	},
	{
		id: "E/client-id-reserved", does: "sends a client ID that begins with $",
		act:  changed(func(d *device, p *mqtt.Connect) { p.ClientID = []byte("$" + d.name) }),
		sees: byMQTT("CONNACK 0x02, "+closed, "CONNACK 0x85, "+closed), code: "mqtt.client_id.reserved", proof: map[string]string{"offered": "$$$client"},
	},
	{
		id: "E/two-faults", does: "has a last will with QoS 2, and no policy",
		setup: func(d *device) { d.issued(true) }, act: willOn("gone", 2, false),
		sees: byMQTT(closed, "CONNACK 0x9B, "+closed), code: "mqtt.will.qos2", also: []string{"policy.none_attached"},
	},
	{
		id: "E/level-3", does: "speaks MQTT 3.1",
		act:  raw("\x10\x11\x00\x06MQIsdp\x03\x02\x00\x3C\x00\x03abc"),
		sees: byTLS("CONNACK 0x01, "+closed, "CONNACK 0x01, "+closed), code: "mqtt.protocol_level", proof: map[string]string{"offered": "~3", "required": "~MQTT 5 (level 5)"},
	},
	{
		id: "E/level-6", does: "speaks an MQTT that does not exist",
		act:  raw("\x10\x0F\x00\x04MQTT\x06\x02\x00\x3C\x00\x03abc"),
		sees: byTLS("CONNACK 0x01, "+closed, "CONNACK 0x01, "+closed), code: "mqtt.protocol_level", proof: map[string]string{"offered": "~6"},
	},
	{
		id: "E/malformed", does: "sends a CONNECT with the reserved flag set",
		act: func(d *device) rawmqtt.End {
			b := d.encode(d.hello())
			b[9] |= 1 // connect flags
			return d.try(d.options(), b...)
		},
		sees: byMQTT(closed, "CONNACK 0x81, "+closed), code: "mqtt.malformed", proof: map[string]string{"packet": "CONNECT"},
	},
	{
		id: "E/first-packet", does: "begins with a PUBLISH",
		act:  func(d *device) rawmqtt.End { return d.try(d.options(), d.encode(publish("a/b", 0))...) },
		sees: silent, code: "mqtt.first_not_connect", says: "the first packet is PUBLISH",
	},
	{
		id: "E/second-connect", does: "sends CONNECT twice on one connection",
		act:  func(d *device) rawmqtt.End { return d.send(d.hello()) },
		sees: byMQTT(closed, "DISCONNECT 0x82, "+closed), code: "mqtt.second_connect",
	},
	{
		id: "E/auth-method", does: "names an authentication method",
		act:  changed(func(_ *device, p *mqtt.Connect) { p.Props.SetAuthMethod([]byte("SCRAM-SHA-256")) }),
		sees: byMQTT("", "CONNACK 0x8C, "+closed), code: "mqtt.auth_method", proof: map[string]string{"offered": "SCRAM-SHA-256"},
	},
	{
		id: "E/rate", does: "connects twice within a second under one client ID",
		act: func(d *device) rawmqtt.End {
			for {
				began := time.Now()
				c := d.session()
				end := d.connect(nil)
				_ = c.Reset()
				if time.Since(began) < 900*time.Millisecond {
					return end
				}
				time.Sleep(1100 * time.Millisecond) // a slow machine: again
			}
		},
		sees: byMQTT(closed, "CONNACK 0x97, "+closed), code: "limit.connect_rate.client_id", proof: map[string]string{"offered": "$client", "required": "1 a second"},
	},
	{
		id: "E/cut", does: "is connected when its certificate is deactivated",
		act: func(d *device) rawmqtt.End {
			c := d.session()
			defer func() { _ = c.Reset() }()
			d.status("INACTIVE")
			return c.End(patience)
		},
		sees: byMQTT(closed, "DISCONNECT 0x87, "+closed), code: "connection.principal_cut", proof: map[string]string{"status": "INACTIVE"},
		fix: "aws iot update-certificate --certificate-id $cert --new-status ACTIVE",
	},
}
