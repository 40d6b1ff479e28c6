package iotdata

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// mqttProperties are the MQTT 5 properties of a request, as the members of its model. Source: connect sheet 6.1.
type mqttProperties struct {
	contentType, responseTopic, correlationData, userProperties *string
	format                                                      *PayloadFormatIndicator
}

// decode returns them as a packet has them, or an InvalidRequestException. Their sizes are checked by
// who sends the message.
func (p mqttProperties) decode() (props mqtt.Properties, err error) {
	for _, text := range []struct {
		name string
		is   *string
	}{{"contentType", p.contentType}, {"responseTopic", p.responseTopic}} {
		if text.is != nil && (!utf8.ValidString(*text.is) || strings.ContainsRune(*text.is, 0)) {
			return props, InvalidRequestException("%s is not a text that MQTT can carry.", text.name)
		}
	}
	if p.contentType != nil {
		props.SetContentType([]byte(*p.contentType))
	}
	if p.responseTopic != nil {
		props.SetResponseTopic([]byte(*p.responseTopic))
	}
	if p.format != nil {
		var utf8Data byte
		if *p.format == PayloadFormatIndicatorUtf8Data {
			utf8Data = 1
		}
		props.SetPayloadFormat(utf8Data)
	}
	if p.correlationData != nil {
		data, err := base64.StdEncoding.DecodeString(*p.correlationData)
		if err != nil {
			return props, InvalidRequestException("The correlation data is not base64.")
		}
		props.SetCorrelationData(data)
	}
	if p.userProperties != nil {
		if props.User, err = userProperties(*p.userProperties); err != nil {
			return props, InvalidRequestException("The user properties are not a JSON array of objects with one text each: %s.", err)
		}
	}
	return props, nil
}

// userProperties reads [{"name":"value"},...]. boto3 sends what it was given as a string as a JSON
// string that holds the array. Source: connect sheet 6.1.
func userProperties(text string) ([]mqtt.UserProperty, error) {
	var inner string
	if json.Unmarshal([]byte(text), &inner) == nil {
		text = inner
	}
	var list []map[string]string
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, errors.New("it can not be read")
	}
	var props []mqtt.UserProperty
	for _, pair := range list {
		if len(pair) != 1 {
			return nil, errors.New("an object does not have exactly one member")
		}
		for name, value := range pair {
			if strings.ContainsRune(name+value, 0) {
				return nil, errors.New("a text contains U+0000")
			}
			props = append(props, mqtt.UserProperty{Name: []byte(name), Value: []byte(value)})
		}
	}
	return props, nil
}

// userPropertiesJSON is the form of [userProperties], or nil without any. Source: connect sheet 6.2.
func userPropertiesJSON(props []mqtt.UserProperty) []byte {
	if len(props) == 0 {
		return nil
	}
	list := make([]map[string]string, len(props))
	for i, p := range props {
		list[i] = map[string]string{string(p.Name): string(p.Value)}
	}
	text, err := json.Marshal(list)
	if err != nil {
		return nil // texts always encode
	}
	return text
}
