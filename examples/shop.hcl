# Two services of one machine, each with a check that the agent makes every second:
#   fairlead agent -dev -config-file=examples/shop.hcl

service {
  name = "web"
  port = 8001
  tags = ["v1"]
  check {
    http     = "http://localhost:8001/"
    interval = "1s"
    timeout  = "5s"
  }
}

service {
  name = "api"
  port = 8002
  check {
    http     = "http://localhost:8002/"
    interval = "1s"
    timeout  = "5s"
  }
}
