package golden;

import com.alibaba.fastjson.JSON;
import com.alibaba.fastjson.JSONObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

final class Lines {
  private Lines() {}

  static List<JSONObject> read(String file) throws IOException {
    return Files.readAllLines(Path.of(file)).stream().map(JSON::parseObject).toList();
  }
}
