package diagnose

import (
	"strconv"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// values is the evidence that every check may use: of the probe, of the account
// and, where a Gatehouse plays it, of that.
func (j *joiner) values() map[string]string {
	m := j.device.Values()
	set := func(name, value string) {
		if value != "" && value != "0" {
			m[name] = value
		}
	}
	if a := j.account; a != nil {
		set("account", a.Account)
		set("region", a.Region)
		set("partition", a.Partition)
		set("principal_arn", a.PrincipalARN)
		set("caller", a.Caller)
		if a.Gatehouse {
			set("mqtt_port", strconv.Itoa(a.Server.Ports.MQTT))
			set("https_port", strconv.Itoa(a.Server.Ports.HTTPS))
			set("alpn_port", strconv.Itoa(a.Server.Ports.ALPN))
			if m["endpoint"] == "" {
				set("endpoint", a.Server.Endpoint)
			}
		}
	}
	return m
}

// with looks evidence up in the fields of a finding, then in what holds for all.
func (j *joiner) with(fields attempt.Fields) check.Values {
	return func(name string) (string, bool) {
		if v := fields.Get(name); v != "" {
			return v, true
		}
		v := j.general[name]
		return v, v != ""
	}
}
