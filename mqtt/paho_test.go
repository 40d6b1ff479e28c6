package mqtt_test

import (
	"bytes"
	"testing"

	paho5 "github.com/eclipse/paho.golang/packets"
	paho3 "github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// TestAgainstPaho: another implementation reads what we write, writes it again
// in its own way, and we read the same packet out of that.
func TestAgainstPaho(t *testing.T) {
	for _, v := range []mqtt.Version{v311, v5} {
		t.Run(v.String(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				want := genPacket(t, fieldsFrom(1), v) // paho takes empty fields for absent ones
				forPaho(want)
				wire, err := want.Append(nil, v)
				if err != nil {
					t.Fatal(err)
				}
				if typ := want.Type(); v == v5 && len(wire) == 2 && (typ == mqtt.TypeDisconnect || typ == mqtt.TypeAuth) {
					return // paho does not know their shortest form
				}
				again, err := throughPaho(v, wire)
				if err != nil {
					t.Fatalf("paho refuses % X: %v", wire, err)
				}
				header, body, _, err := mqtt.NextPacket(again, 0)
				if err != nil {
					t.Fatalf("paho made % X of % X: %v", again, wire, err)
				}
				got, err := mqtt.Decode(v, header, body)
				if err != nil {
					t.Fatalf("paho made % X of % X: %v", again, wire, err)
				}
				if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("through paho (-sent +got):\n%s\n% X\n% X", diff, wire, again)
				}
			})
		})
	}
}

// forPaho takes out what paho is known to lose when it writes.
func forPaho(p mqtt.Packet) {
	switch p := p.(type) {
	case *mqtt.Connect:
		if p.Will != nil {
			p.Will.Props = mqtt.Properties{User: p.Will.Props.User}
		}
	case *mqtt.Publish:
		if len(p.Props.SubscriptionIDs) > 1 {
			p.Props.SubscriptionIDs = p.Props.SubscriptionIDs[:1]
		}
	}
}

func throughPaho(v mqtt.Version, wire []byte) ([]byte, error) {
	var out bytes.Buffer
	if v == v5 {
		p, err := paho5.ReadPacket(bytes.NewReader(wire))
		if err != nil {
			return nil, err
		}
		_, err = p.WriteTo(&out)
		return out.Bytes(), err
	}
	p, err := paho3.ReadPacket(bytes.NewReader(wire))
	if err != nil {
		return nil, err
	}
	err = p.Write(&out)
	return out.Bytes(), err
}
